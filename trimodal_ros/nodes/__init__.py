"""ROS 2 executables: shells round the rooms before this one."""
