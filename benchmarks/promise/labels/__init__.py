"""People and programs move filed photos while the daemon runs and is killed: what becomes a label, and is none lost?"""
