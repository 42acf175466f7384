"""A process that has imported what workers need, and of which every worker of a private Ray is a copy.

A worker that Ray starts by itself imports Ray, PyTorch and this package anew, seconds of a core each time. Here that is
done once, beside the driver's own start (decision 048).
"""
