"""The release gate: nothing that is masked and lawfully shown nowhere may stand in a finished package. Pure functions.

============  ====================================================================================================
finding       what is wrong, where, and whose cell it is; never the value
forbidden     the masked values, made ready to be looked for a million at a time
readings      what text and bytes may read as: encodings, escapes, hex, base64, digests
search        texts and bytes of one package against the forbidden values
pages         the text of PDF pages as their own fonts say it, and the letters that no page uses
pdf           everything a PDF holds, its earlier revisions and attachments too
judging       what each cell may show by the inventory, and which values are hidden
wordings      what the engine prints in every package by itself
rows          CSV and JSON, row by row against the rules of the inventory
standards     PDF/A, PDF/UA and syntax, as lists of failed rules
content       what a package says, as a digest that is the same on every platform
============  ====================================================================================================

What is masked is worked out here a second time, from the stored rows and the inventory: a fault of
``dsr.rules.redaction`` must not hide itself. Documents.md §7 (DC-1..DC-4) and pdf.md §6 are the source.
"""
