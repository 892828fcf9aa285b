"""Notes in FastAPI: SQLAlchemy for the rows, Pydantic for validation.

The endpoints are plain functions, which FastAPI runs on its threads, since SQLite blocks.
"""

import os
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import String, Text, create_engine, event, func, or_, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

# A connection for each of the 40 threads.
engine = create_engine("sqlite:///" + os.environ["DATABASE"], pool_size=40)


@event.listens_for(engine, "connect")
def set_pragmas(connection, _):
    connection.execute("PRAGMA busy_timeout = 30000")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = " + os.environ["BENCH_SYNCHRONOUS"])


def now():
    return datetime.now(UTC).replace(tzinfo=None)


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


Title = Annotated[str, Field(min_length=1, max_length=200)]


class NoteCreate(BaseModel):
    title: Title
    content: str


class NoteUpdate(BaseModel):
    title: Title = ""
    content: str = ""


class NoteOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    title: str
    content: str
    created_at: datetime
    updated_at: datetime


class NotePage(BaseModel):
    items: list[NoteOut]
    page: int
    total: int


def open_session():
    with Session(engine, expire_on_commit=False) as session:
        yield session


Database = Annotated[Session, Depends(open_session)]
app = FastAPI()


def find(db, id):
    if note := db.get(Note, id):
        return note
    raise HTTPException(404, "there is no such note")


@app.get("/api/notes/{id}")
def one(id: int, db: Database) -> NoteOut:
    return find(db, id)


@app.get("/api/notes")
def list_notes(
    db: Database, page: Annotated[int, Query(ge=1)] = 1, q: str | None = None
) -> NotePage:
    query, count = select(Note), select(func.count()).select_from(Note)
    if q:
        has_word = or_(*(c.contains(q, autoescape=True) for c in (Note.title, Note.content)))
        query, count = query.where(has_word), count.where(has_word)
    query = query.order_by(Note.created_at.desc(), Note.id.desc())
    query = query.limit(10).offset((page - 1) * 10)
    return {"items": db.scalars(query).all(), "page": page, "total": db.scalar(count)}


@app.post("/api/notes", status_code=201)
def create(body: NoteCreate, db: Database) -> NoteOut:
    note = Note(**body.model_dump())
    db.add(note)
    db.commit()
    return note


@app.patch("/api/notes/{id}")
def update(id: int, body: NoteUpdate, db: Database) -> NoteOut:
    note = find(db, id)
    for name, value in body.model_dump(exclude_unset=True).items():
        setattr(note, name, value)
    db.commit()
    return note
