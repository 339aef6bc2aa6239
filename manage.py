#!/usr/bin/env python
"""The command line of Jarvis: Django's, and commands of its own."""

import sys

from jarvis.management.command_line import main

if __name__ == "__main__":
    main(sys.argv)
