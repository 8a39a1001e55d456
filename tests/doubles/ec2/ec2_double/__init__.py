"""A stand-in for Amazon EC2, with the parts of IAM and STS that go with it, for tests only.

moto answers; what it answers wrongly, or not at all, is put right in here. ../README.md says what and why.
"""
