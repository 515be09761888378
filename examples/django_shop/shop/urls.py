"""The routes."""

from django.urls import path

from shop import views

urlpatterns = [
    path("products/<int:product>/", views.show),
    path("products/<int:product>/price/", views.change),
    path("products/<int:product>/announced/", views.announced),
]
