from django.urls import path

from . import views

app_name = "notebook"

urlpatterns = [
    path("", views.NoteList.as_view(), name="list"),
    path("new/", views.NoteCreate.as_view(), name="create"),
    path("<int:pk>/", views.NoteEdit.as_view(), name="edit"),
    path("<int:pk>/delete/", views.NoteDelete.as_view(), name="delete"),
]
