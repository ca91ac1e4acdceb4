"""Search keys for Japanese identity: folded forms stand beside what is stored and never replace it (names.md N-1).

``letters`` names · ``kana`` readings · ``addresses`` · ``numbers`` phones, mails, customer numbers · ``birthdays`` ·
``person`` the subject compiled from a request, and every written form a store may hold of them.
"""
