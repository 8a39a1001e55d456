"""A stand-in for Amazon EC2, with the parts of IAM and STS that go with it, for tests only.

moto answers; missing or wrong answers are corrected here. ../README.md lists them with the reasons.
"""

import functools
import os

import boto3

# moto's own images are not those that a test may count on.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

# For its lists of regions moto opens a session of boto3 each time, which reads EC2's whole description anew. With
# one for all, a start takes 1.0 s of computing instead of 1.3 s.
ordinary = boto3.Session
boto3.Session = functools.cache(ordinary)
import moto.ec2.models  # noqa: E402, F401

boto3.Session = ordinary
