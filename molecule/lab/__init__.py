"""The lab: one virtual machine per host of an LVS cluster, with a real ip_vs, inside a network namespace of its own."""
