"""Installs ``src/`` as the package ``epymarl_cpa``."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
SUBPACKAGES = find_packages("src")
PACKAGE = (HERE / "src/__init__.py").read_text(encoding="utf-8")
VERSION = next(line.split('"')[1] for line in PACKAGE.splitlines() if "__version__" in line)

EXTRAS = {
    "tensorboard": ["tensorboard>=2.15"],  # utils/logging.py, use_tensorboard=true
    "wandb": ["wandb>=0.16"],  # observers/wandb.py, use_wandb=true
    "progress": ["tqdm>=4.66"],  # utils/live_line.py, a live line on the terminal
    "mongo": ["pymongo>=4.2"],  # records/, Sacred's MongoObserver (-m), for Omniboard
    "sql": ["sqlalchemy>=2"],  # records/, Sacred's SqlObserver (-s)
    "tinydb": ["tinydb>=4", "tinydb-serialization", "hashfs"],  # records/, Sacred's TinyDbObserver (-t)
    "report": ["matplotlib>=3.8"],  # experiments/figures
    "render": ["pillow>=10.1", "imageio[ffmpeg]>=2.31"],  # render/, films of played episodes
    "hdf5": ["h5py>=3"],  # data/formats, offpymarl's .h5 files
    "minari": ["minari[hdf5]>=0.5.3", "pillow"],  # data/formats
    "vault": ["tensorstore"],  # data/formats, OG-MARL's vaults
    "onnx": ["onnx>=1.16", "onnxruntime>=1.18"],  # deploy/graph.py, deploy export --format=onnx
    "ray": ["ray>=2.9"],  # experiments/sweeps/backends.py, sweeps with --backend=ray
    "tasks": ["lbforaging>=2", "mpe2>=1.1", "rware>=2"],  # config/envs: lbf, lbf_coop, mpe_spread, rware
    "hanabi": ["open_spiel>=2", "shimmy>=2"],  # envs/hanabi.py, --env-config=hanabi
    "vmas": ["vmas>=1.5"],  # envs/vmas_crowd.py, --env-config=vmas
    "notebook": ["ipykernel>=6", "nbclient>=0.10"],  # examples/xor_story.ipynb, with "report"
    "docs": ["mkdocs-material>=9.5", "mkdocstrings[python]>=0.25"],  # mkdocs.yml
    "dev": ["pytest>=8", "hypothesis>=6", "ruff>=0.5", "mypy>=1.10", "types-PyYAML",  # tests and .ci/run
            "pytest-cov>=5", "cosmic-ray>=8.3"],  # docs/promises.md
}

setup(
    name="epymarl-cpa",
    version=VERSION,
    description="Offline multi-agent reinforcement learning by Cooperative Policy Agreement, in EPyMARL's shape",
    author="epymarl-cpa maintainers",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords=["multi-agent reinforcement learning", "offline reinforcement learning", "MARL", "EPyMARL", "PettingZoo",
              "policy agreement"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.11",
    package_dir={"epymarl_cpa": "src"},
    packages=["epymarl_cpa", *(f"epymarl_cpa.{name}" for name in SUBPACKAGES)],
    package_data={"epymarl_cpa": ["py.typed", "*.pyi", "config/*.yaml", "config/*/*.yaml", "envs/optima.json",
                                  "experiments/rows/*.yaml", "view/page/*"]},
    install_requires=[
        "torch>=2.4",
        "numpy>=1.26",
        "pyyaml>=6",
        "gymnasium>=1.0",
        "pettingzoo>=1.24.3",
        "sacred>=0.8.7",
        "docopt-ng",  # comes with sacred; cli.py asks it what a command line means
        "setuptools<82",  # sacred 0.8 imports pkg_resources
    ],
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["epymarl-cpa = epymarl_cpa.main:entry"]},
)
