"""ROS messages in, an Observation out. Duck-typed: no rclpy."""
