"""Commands that move filed photos: back to the inbox, or to another class."""
