from rest_framework.routers import SimpleRouter

from notes.views import NoteViewSet

router = SimpleRouter()
router.register("api/notes", NoteViewSet)
urlpatterns = router.urls
