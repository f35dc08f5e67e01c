"""The dependency gate: what may be a dependency of what.

It reads `cargo metadata`, `Cargo.lock` and `deny.toml`, and judges. It never changes a file and never uses the network.
"""
