from django.conf import settings
from django.urls import include, path
from django.views.static import serve

urlpatterns = [
    path("", include("notebook.urls")),
    # One stylesheet is not worth a web server of its own.
    path("static/<path:path>", serve, {"document_root": settings.STATIC_ROOT}, name="static"),
]
