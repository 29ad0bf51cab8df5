"""The same equations under XLA, for GPUs and TPUs: `engine` trains, `equations` says with what.

Nothing of JAX is imported before `engine` is.
"""
