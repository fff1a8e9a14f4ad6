"""The Python topology of the tests: see Main.java. The class Sample writes
the definition as a topology class of Heron's Python API does."""

import os
import shutil
import sys


class Sample:
    @classmethod
    def write(cls):
        for arg in sys.argv[1:]:
            print("arg: " + arg)
        options = os.environ["HERON_OPTIONS"].replace("%%%%", " ")
        options = dict(pair.split("=", 1) for pair in options.split(","))
        print("named: " + options.get("cmdline.topology.name", ""))
        shutil.copy(os.environ["DEFINITION"], options["cmdline.topologydefn.tmpdirectory"])
