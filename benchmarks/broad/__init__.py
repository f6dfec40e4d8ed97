"""The broad network: what it is made from, and the table that it is judged by."""
