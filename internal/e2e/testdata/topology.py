"""A Python topology in a zip, with its definition beside it. Sample writes it
as a topology class of Heron's Python API does, and shows the arguments."""

import os
import pkgutil
import sys


class Sample:
    @classmethod
    def write(cls):
        for arg in sys.argv[1:]:
            print("<" + arg + ">")
        options = os.environ["HERON_OPTIONS"].replace("%%%%", " ")
        options = dict(pair.split("=", 1) for pair in options.split(","))
        folder = options["cmdline.topologydefn.tmpdirectory"]
        with open(os.path.join(folder, "python.defn"), "wb") as file:
            file.write(pkgutil.get_data(__name__, "topology.defn"))
