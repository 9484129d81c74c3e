"""Episodes: rosbag2 directories (MCAP) that any ROS tool opens."""
