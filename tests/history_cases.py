"""Histories as they are found in environments, and what was asked for there."""

from __future__ import annotations

INSTALLED = ("bzip2", "jupyter", "numpy", "pip", "python", "zlib")

#: Lines of a history, and what was asked for by now. Conda reads them so, too.
READ = {
    "nothing": ("", {}),
    "rattler leaves it empty": ("\n\n", {}),
    "conda today": (
        """\
==> 2026-01-02 03:04:05 <==
# cmd: /opt/conda/bin/conda create -n e python=3.11 numpy
# conda version: 26.9.0
+defaults/linux-64::bzip2-1.0.8-h5eee18b_6
+defaults/linux-64::python-3.11.7-h955ad1f_0
# update specs: ["numpy", "python=3.11"]
==> 2026-01-03 03:04:05 <==
# cmd: /opt/conda/bin/conda install pip
# conda version: 26.9.0
# update specs: ['pip', 'numpy[version=">=1.2,<2"]']
""",
        {"numpy": 'numpy[version=">=1.2,<2"]', "pip": "pip", "python": "python=3.11"},
    ),
    "before 4.5": (
        """\
==> 2017-01-02 03:04:05 <==
# cmd: /opt/conda/bin/conda create -n e python>=3.5 jupyter
# install specs: python >=3.5,<4,jupyter >=1.0.0,!=1.2,numpy
""",
        {
            "python": "python >=3.5,<4",
            "jupyter": "jupyter >=1.0.0,!=1.2",
            "numpy": "numpy",
        },
    ),
    "micromamba": (
        """\
==> 2024-01-02 03:04:05 <==
# cmd: micromamba create -n e python=3.11 conda-forge::numpy
# conda version: 3.8.0
+https://conda.anaconda.org/conda-forge/linux-64::bzip2-1.0.8-h5eee18b_6
# update specs: ["python=3.11", "conda-forge::numpy>=1.2"]
""",
        {"python": "python=3.11", "numpy": "conda-forge::numpy>=1.2"},
    ),
    "removed": (
        """\
==> 2026-01-02 03:04:05 <==
# cmd: conda create
# update specs: ['python=3.11', 'numpy', 'pip']
==> 2026-01-03 03:04:05 <==
# cmd: conda remove numpy
# remove specs: ['numpy']
==> 2026-01-04 03:04:05 <==
# cmd: conda uninstall pip
# uninstall specs: ['pip=*']
""",
        {"python": "python=3.11"},
    ),
    "removed and asked for at once": (
        """\
==> 2026-01-02 03:04:05 <==
# cmd: conda install
# update specs: ['numpy=1']
==> 2026-01-03 03:04:05 <==
# cmd: conda-s3-sync
# remove specs: ['numpy', 'pip']
# update specs: ['numpy=2']
""",
        {"numpy": "numpy=2"},
    ),
    "neutered": (
        """\
==> 2026-01-02 03:04:05 <==
# cmd: conda install
# update specs: ['python=3.11.7=h_0', 'numpy=1.2']
==> 2026-01-03 03:04:05 <==
# cmd: conda install
# neutered specs: ['python=3.11.7']
# update specs: ['python=3.12', 'pip']
""",
        {"python": "python=3.11.7", "numpy": "numpy=1.2", "pip": "pip"},
    ),
    "the last line of a kind": (
        """\
==> 2026-01-02 03:04:05 <==
# cmd: conda install
# update specs: ['numpy=1', 'zlib']
# install specs: ['python']
# create specs: []
""",
        {"python": "python"},
    ),
    "no command, no request": (
        """\
==> 2026-01-02 03:04:05 <==
# update specs: ['numpy=1']
==> 2026-01-03 03:04:05 <==
# cmd: conda install
# update specs: ['pip']
==> 2026-01-04 03:04:05 <==
# cmd:
# update specs: ['python']
""",
        {"pip": "pip"},
    ),
    "before any revision": (
        "# cmd: conda\n# update specs: ['pip']\n==> 2026-01-03 03:04:05 <==\n",
        {},
    ),
    "features and empty ones": (
        """\
==> 2018-01-03 03:04:05 <==
# cmd: conda install
# update specs: ['mkl@', 'numpy', '']
==> 2018-01-03 03:04:05 <==
# cmd: conda install
# install specs: nomkl@,pip,
==> 2018-01-03 03:04:05 <==
# cmd: conda install --revision 1
# update specs:
""",
        {"numpy": "numpy", "pip": "pip"},
    ),
    "what is not there any more": (
        """\
==> 2026-01-02 03:04:05 <==
# cmd: conda install
# update specs: ['gone=1', 'pip']
""",
        {"pip": "pip"},
    ),
    "addresses and builds": (
        """\
==> 2026-01-02 03:04:05 <==
# cmd: conda create --file explicit.txt
# update specs: ['https://h/c/linux-64/zlib-1-0.conda', 'defaults::pip', 'numpy=1=py_0']
""",
        {
            "zlib": "https://h/c/linux-64/zlib-1-0.conda",
            "pip": "defaults::pip",
            "numpy": "numpy=1=py_0",
        },
    ),
    "arrows elsewhere": (
        """\
==> 2026-01-02 03:04:05 <==
# cmd: conda install a ==> b <== c
#update specs: ['pip']
  ==>2026-01-03 03:04:05<==
   #   cmd:conda
   #  install   specs:   ['zlib']
""",
        {"pip": "pip", "zlib": "zlib"},
    ),
    "other lines": (
        """\
==> 2026-01-02 03:04:05 <==
# cmd: conda install
# wishes specs: ['zlib']
# update specs ['zlib']
specs: ['zlib']
what is this?
# update specs: ['pip']
""",
        {"pip": "pip"},
    ),
}

#: What conda breaks at: there is nothing to compare with.
READ_ALONE = {
    "half a list": ("# update specs: ['numpy'\n", {}),
    "no list": ("# update specs: [{[]}]\n", {}),
    "a deep list": (f"# update specs: {'[' * 9999}\n", {}),
    "a bracket in old ones": (
        "# install specs: python[version=3.7],pip\n",
        {"pip": "pip", "python": "python[version=3.7]"},
    ),
    "no spec": (
        "# update specs: ['=== what', '*', 'pip']\n",
        {"pip": "pip"},
    ),
    "spaces between old ones": (
        "# install specs: python >=3, <4, pip\n",
        {"pip": "pip", "python": "python >=3, <4"},
    ),
    "not UTF-8": ("# user: \udcff\n# update specs: ['pip']\n", {"pip": "pip"}),
}
