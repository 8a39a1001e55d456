"""The double's own code: what would go wrong silently."""

import unittest

from ec2_double.ec2 import Ec2
from ec2_double.ec2.own import Own


class Structure(unittest.TestCase):
    def test_no_two_parts_of_the_actions_use_one_name(self):
        parts = [part for part in Ec2.__mro__ if issubclass(part, Own) and part not in (Own, Ec2)]
        self.assertGreater(len(parts), 5)
        seen = {}
        for part in parts:
            for name, value in vars(part).items():
                if callable(value) or isinstance(value, staticmethod):
                    self.assertNotIn(name, seen, f"{part.__name__} and {seen.get(name)} both define {name}")
                    seen[name] = part.__name__
