"""What user-defined data sets are made of, for modules that a config imports: `from search.data import DATASETS`."""

from search.training.data import DATASETS, Dataset, DatasetSource, Split, load, source_of
from search.training.data.assemble import assembled

__all__ = ["DATASETS", "Dataset", "DatasetSource", "Split", "assembled", "load", "source_of"]
