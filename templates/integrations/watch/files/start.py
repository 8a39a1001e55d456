# Run by the `.pth` file of counting.py, in processes of the counted unit alone.
import sys

sys.path.append("/etc/monctl/counting/library")

from monctl_metrics import watched

watched.begin()
