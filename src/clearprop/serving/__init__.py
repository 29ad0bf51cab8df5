"""A model that answers over HTTP: rows as JSON in, predictions as JSON out.

``answers`` is the model, asked; ``gathering`` lets requests that wait be answered together;
``application`` is what may be asked, under the limits of ``limits``; ``description`` says so as JSON
schema, OpenAPI and a page; ``running`` starts it, reads the model again and ends it.
"""
