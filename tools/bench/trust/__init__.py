"""What holds when broker, network, machine and house fail: the figures of tests/chaos."""
