from django.test import TestCase


class MetricsTests(TestCase):
    def test_metrics_are_served(self):
        self.client.get("/")
        self.assertContains(self.client.get("/metrics"), "django_http_responses_total_by_status")
