from django.contrib.messages.views import SuccessMessageMixin
from django.urls import reverse_lazy
from django.views import generic

from .models import Note


class NoteList(generic.ListView):
    model = Note
    paginate_by = 20

    def get_queryset(self):
        notes = super().get_queryset()
        words = self.request.GET.get("q", "").strip()
        return notes.filter(title__icontains=words) if words else notes


class NoteFormMixin(SuccessMessageMixin):
    model = Note
    fields = ["title", "body"]
    success_url = reverse_lazy("notebook:list")


class NoteCreate(NoteFormMixin, generic.CreateView):
    success_message = "“%(title)s” was added."


class NoteEdit(NoteFormMixin, generic.UpdateView):
    success_message = "“%(title)s” was changed."


class NoteDelete(SuccessMessageMixin, generic.DeleteView):
    model = Note
    success_url = reverse_lazy("notebook:list")
    success_message = "The note was deleted."
