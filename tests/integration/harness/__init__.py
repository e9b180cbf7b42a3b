"""Real processes in network namespaces: the parts that the tests beside this folder share."""
