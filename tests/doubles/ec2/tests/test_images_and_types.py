"""Images to choose from, and the types that fit them."""

from .running import DoubleTest

DEBIAN, UBUNTU = "136693071363", "099720109477"


class Images(DoubleTest):
    def images(self, name, *owners):
        named = [{"Name": "name", "Values": [name]}]
        return self.ec2.describe_images(Filters=named, **({"Owners": list(owners)} if owners else {}))["Images"]

    def test_the_newest_is_neither_first_nor_last(self):
        for architecture in ("amd64", "arm64"):
            dates = [one["CreationDate"] for one in self.images(f"debian-13-{architecture}-*", DEBIAN)]
            self.assertGreaterEqual(len(dates), 3)
            self.assertNotIn(max(dates), (dates[0], dates[-1]))

    def test_names_are_as_debian_s_and_ubuntu_s(self):
        for image in self.images("debian-13-*", DEBIAN):
            self.assertRegex(image["Name"], r"^debian-13-(amd64|arm64)-\d{8}-\d{4}$")
        for image in self.images("ubuntu/*", UBUNTU):
            pattern = r"^ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-(amd64|arm64)-server-\d{8}$"
            self.assertRegex(image["Name"], pattern)

    def test_a_stranger_has_newer_ones_of_the_same_name(self):
        for name, owner in (("debian-13-amd64-*", DEBIAN), ("ubuntu/*-amd64-*", UBUNTU)):
            newest = max(self.images(name), key=lambda image: image["CreationDate"])
            self.assertNotEqual(newest["OwnerId"], owner)
            self.assertTrue(all(image["OwnerId"] == owner for image in self.images(name, owner)))

    def test_the_architecture_is_that_of_the_name(self):
        for image in self.images("debian-13-*", DEBIAN):
            expected = "x86_64" if "amd64" in image["Name"] else "arm64"
            self.assertEqual(image["Architecture"], expected)

    def test_root_devices_differ(self):
        self.assertEqual({one["RootDeviceName"] for one in self.images("debian-13-*", DEBIAN)}, {"/dev/xvda"})
        self.assertEqual({one["RootDeviceName"] for one in self.images("ubuntu/*", UBUNTU)}, {"/dev/sda1"})

    def test_each_region_has_ids_of_its_own_that_stay(self):
        here = {image["ImageId"] for image in self.images("debian-13-*")}
        elsewhere = self.double.client(region="eu-north-1")
        there = {image["ImageId"] for image in elsewhere.describe_images()["Images"]}
        self.assertEqual(here & there, set())
        self.double.control("POST", "reset")
        self.assertEqual({image["ImageId"] for image in self.images("debian-13-*")}, here)

    def test_an_image_is_found_by_its_id(self):
        wanted = self.image()
        (found,) = self.ec2.describe_images(ImageIds=[wanted])["Images"]
        self.assertEqual(found["ImageId"], wanted)
        self.refused("InvalidAMIID.NotFound", self.ec2.describe_images, ImageIds=["ami-00000000000000000"])


class Types(DoubleTest):
    def test_types_tell_their_architecture_and_processors(self):
        cases = {
            "t3.small": ("x86_64", 2),
            "t3a.small": ("x86_64", 2),
            "t4g.small": ("arm64", 2),
            "m7i.large": ("x86_64", 2),
            "m7g.xlarge": ("arm64", 4),
        }
        found = self.ec2.describe_instance_types(InstanceTypes=list(cases))["InstanceTypes"]
        found = {
            one["InstanceType"]: (
                [name for name in one["ProcessorInfo"]["SupportedArchitectures"] if name != "i386"],
                one["VCpuInfo"]["DefaultVCpus"],
            )
            for one in found
        }
        self.assertEqual(found, {kind: ([architecture], count) for kind, (architecture, count) in cases.items()})

    def test_a_type_that_does_not_exist_is_refused(self):
        refusal = self.refused("InvalidInstanceType", self.ec2.describe_instance_types, InstanceTypes=["t3.gigantic"])
        self.assertIn("t3.gigantic", refusal["Error"]["Message"])

    def test_offerings_tell_the_zones_of_a_type(self):
        answer = self.ec2.describe_instance_type_offerings(
            LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["t3.small"]}]
        )
        zones = sorted(one["Location"] for one in answer["InstanceTypeOfferings"])
        self.assertEqual(zones, ["eu-central-1a", "eu-central-1b", "eu-central-1c"])

    def test_zones_are_those_of_the_region(self):
        zones = self.ec2.describe_availability_zones()["AvailabilityZones"]
        self.assertEqual([one["ZoneName"] for one in zones], ["eu-central-1a", "eu-central-1b", "eu-central-1c"])
