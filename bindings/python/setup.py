# SPDX-License-Identifier: MIT
"""The extension module; all else is in pyproject.toml.

By default libilb is compiled in from vendor/. With ILB_SYSTEM=1 in the
environment the installed one is used, as pkg-config tells.
"""

import os
import shlex
import subprocess
from glob import glob

from setuptools import Extension, setup


def pkg_config(what):
    """The flags that pkg-config prints for `what`, a list of str."""
    command = [os.environ.get("PKG_CONFIG", "pkg-config"), what, "libilb"]
    return shlex.split(subprocess.check_output(command, text=True))


compile_args = ["-std=c11", "-fvisibility=hidden"]
link_args = []
if os.environ.get("ILB_SYSTEM") == "1":
    compile_args += ["-DILB_USE_SYSTEM", *pkg_config("--cflags")]
    link_args += pkg_config("--libs")
else:
    compile_args += ["-Ivendor", "-pthread"]
    link_args += ["-pthread"]

extension = Extension(
    "ilb._ilb",
    sources=["src/_ilb/_ilb.c"],  # it includes the others
    depends=sorted(glob("src/_ilb/*") + glob("vendor/*")),
    extra_compile_args=compile_args,
    extra_link_args=link_args,
)
setup(ext_modules=[extension])
