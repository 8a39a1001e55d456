from django.test import TestCase
from django.urls import reverse

from notebook.models import Note


class NoteTests(TestCase):
    def setUp(self):
        self.note = Note.objects.create(title="Milk", body="Two litres")

    def test_the_list_shows_notes(self):
        self.assertContains(self.client.get(reverse("notebook:list")), "Milk")

    def test_the_list_can_be_searched(self):
        Note.objects.create(title="Bread")
        answer = self.client.get(reverse("notebook:list"), {"q": "bre"})
        self.assertContains(answer, "Bread")
        self.assertNotContains(answer, "Milk")

    def test_long_lists_have_pages(self):
        Note.objects.bulk_create(Note(title=f"Note {number}") for number in range(30))
        self.assertContains(self.client.get(reverse("notebook:list")), "?page=2")

    def test_a_note_is_created(self):
        answer = self.client.post(reverse("notebook:create"), {"title": "Tea", "body": ""})
        self.assertRedirects(answer, reverse("notebook:list"))
        self.assertTrue(Note.objects.filter(title="Tea").exists())

    def test_a_note_needs_a_title(self):
        answer = self.client.post(reverse("notebook:create"), {"title": "", "body": "?"})
        self.assertContains(answer, "This field is required")

    def test_a_note_is_edited(self):
        self.client.post(self.note.get_absolute_url(), {"title": "Oat milk", "body": ""})
        self.note.refresh_from_db()
        self.assertEqual(self.note.title, "Oat milk")

    def test_a_note_is_deleted_only_after_confirmation(self):
        url = reverse("notebook:delete", args=[self.note.pk])
        self.assertContains(self.client.get(url), "Delete “Milk”?")
        self.assertTrue(Note.objects.exists())
        self.client.post(url)
        self.assertFalse(Note.objects.exists())

    def test_an_unknown_note_is_not_found(self):
        self.assertEqual(self.client.get(reverse("notebook:edit", args=[0])).status_code, 404)
