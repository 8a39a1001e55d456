"""What a test may set: how long things take, how far reads lag behind, what the account may have."""

import dataclasses


@dataclasses.dataclass
class Settings:
    """Times are in seconds; 0 means: over at the next call."""

    pending: float = 0
    """From RunInstances or StartInstances until `running`."""
    stopping: float = 0
    shutting_down: float = 0
    terminated: float = 3600
    """How long a terminated instance is still shown; EC2 does so for about an hour."""
    stale: float = 0
    """How long after its creation a resource is not yet found."""
    stale_states: float = 0
    """How old the states are that DescribeInstances shows."""
    page_size: int = 0
    """The maximum page size of a Describe call, whatever the client requests; 0 leaves it to the client."""
    no_capacity: list = dataclasses.field(default_factory=list)
    """Where there is no capacity: `{"zone": …, "type": …}`; an omitted key matches all."""
    vcpu_quota: int = 0
    """The most virtual CPUs that may run at a time; 0 sets no limit."""
    bucket: dict | None = None
    """`{"size": calls, "refill": calls per second}` for each action; beyond it, RequestLimitExceeded."""
    clock_offset: float = 0
    """How far the double's clock is ahead of this computer's."""
    default_vpc: bool = True
    """Whether each region has a default VPC."""
    default_subnets: bool = True
    """Whether it has subnets, too."""
    failing_start: str | None = None
    """The code with which starting fails from now on: a new instance terminates, one that was stopped is so again."""
    kms_keys: list = dataclasses.field(default_factory=list)
    """KMS keys that the caller may use; a disk with another one lets the start fail, as EC2 does."""

    def change(self, values):
        """Takes over what is named; refuses what does not exist."""
        known = {field.name for field in dataclasses.fields(self)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"no such setting: {', '.join(unknown)}")
        for name, value in values.items():
            setattr(self, name, value)

    def shown(self):
        return dataclasses.asdict(self)
