//! Makes a root filesystem from a container image and an agent.
