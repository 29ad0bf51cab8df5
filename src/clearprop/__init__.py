"""Feed-forward neural networks trained by explicit backpropagation.

A network you can see through: `Network` trains and predicts, `Network.trace` shows one exact pass,
`check_gradient` proves a gradient. To read the mathematics, open ``activations``, ``costs``,
``architecture`` and ``backprop``, in this order.
"""

from clearprop import costs as costs
from clearprop import data as data
from clearprop import initializers as initializers
from clearprop import metrics as metrics
from clearprop import schedules as schedules
from clearprop.activations import Activation as Activation
from clearprop.architecture import Layer as Layer
from clearprop.architecture import Scaling as Scaling
from clearprop.checkpoint import CheckpointError as CheckpointError
from clearprop.costs import Cost as Cost
from clearprop.network import Network as Network
from clearprop.network import load as load
from clearprop.optimizers import LBFGS as LBFGS
from clearprop.optimizers import SGD as SGD
from clearprop.optimizers import Adam as Adam
from clearprop.optimizers import AdamW as AdamW
from clearprop.optimizers import RMSProp as RMSProp
from clearprop.trace import Gradient as Gradient
from clearprop.trace import Trace as Trace
from clearprop.training import DivergenceError as DivergenceError
from clearprop.training import EarlyStopping as EarlyStopping
from clearprop.training import History as History
from clearprop.training import Training as Training

__version__ = "0.1.0"
