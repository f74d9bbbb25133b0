from .api.comparing import Comparison as Comparison
from .api.comparing import compare as compare
from .api.datasets import load_dataset as load_dataset
from .api.environments import make_env as make_env
from .api.evaluating import Evaluation as Evaluation
from .api.evaluating import evaluate as evaluate
from .api.playing import TeamPolicy as TeamPolicy
from .api.playing import load_policy as load_policy
from .api.selecting import select as select
from .api.teams import export as export
from .api.training import TrainedRun as TrainedRun
from .api.training import train as train
from .data.dataset import OfflineDataset as OfflineDataset
from .data.flat import arrays_from_dataset as arrays_from_dataset
from .data.flat import dataset_from_arrays as dataset_from_arrays
from .errors import UserError as UserError
from .selection.verdict import Verdict as Verdict

__version__: str
