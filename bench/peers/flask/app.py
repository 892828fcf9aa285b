"""Notes in Flask: Flask-SQLAlchemy for the rows, validation by hand."""

import os
from datetime import UTC, datetime

from flask import Flask, abort, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String, Text, event, or_
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from werkzeug.exceptions import HTTPException


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})
app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///" + os.environ["DATABASE"]
db.init_app(app)


def now():
    return datetime.now(UTC).replace(tzinfo=None)


class Note(db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    def to_dict(self):
        return {
            "id": self.id,
            "title": self.title,
            "content": self.content,
            "created_at": self.created_at.isoformat() + "Z",
            "updated_at": self.updated_at.isoformat() + "Z",
        }


with app.app_context():

    @event.listens_for(db.engine, "connect")
    def set_pragmas(connection, _):
        connection.execute("PRAGMA busy_timeout = 30000")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = " + os.environ["BENCH_SYNCHRONOUS"])


@app.cli.command("create-tables")
def create_tables():
    db.create_all()


@app.errorhandler(HTTPException)
def error(problem):
    return {"error": problem.description}, problem.code


def checked(body, required):
    """The fields of a note in `body`, or an answer with the status 400."""
    if not isinstance(body, dict):
        abort(400, "an object is needed")
    fields = {name: body[name] for name in ("title", "content") if name in body}
    if required and len(fields) < 2:
        abort(400, "title and content are needed")
    if not all(isinstance(value, str) for value in fields.values()):
        abort(400, "title and content are strings")
    if "title" in fields and not 0 < len(fields["title"]) <= 200:
        abort(400, "title has 1 to 200 characters")
    return fields


@app.get("/api/notes/<int:id>")
def one(id):
    return db.get_or_404(Note, id).to_dict()


@app.get("/api/notes")
def list_notes():
    query = db.select(Note).order_by(Note.created_at.desc(), Note.id.desc())
    if word := request.args.get("q"):
        found = or_(*(c.contains(word, autoescape=True) for c in (Note.title, Note.content)))
        query = query.where(found)
    page = db.paginate(query, per_page=10)
    return {"items": [note.to_dict() for note in page], "page": page.page, "total": page.total}


@app.post("/api/notes")
def create():
    note = Note(**checked(request.get_json(), required=True))
    db.session.add(note)
    db.session.commit()
    return note.to_dict(), 201


@app.patch("/api/notes/<int:id>")
def update(id):
    note = db.get_or_404(Note, id)
    for name, value in checked(request.get_json(), required=False).items():
        setattr(note, name, value)
    db.session.commit()
    return note.to_dict()
