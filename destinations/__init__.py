"""How events get out: a folder is a vendor, a file is machinery.

    log -- worker -- lanes -- batcher -- limiter -- breaker -- courier <=> sender --> vendor
             |         ^                                          |
          progress     `-- retry <------ Busy, Failed -- outcome -|
             |                                                    |
           commit <------------------- Delivered, Refused --------|
                                                                  |--> deadletters (Refused)
                                                                  `--> pause (Barred)

`progress`, `lanes`, `batcher`, `limiter`, `breaker` and `retry` decide and never wait; `worker`,
`courier`, `sender` and `deadletters` wait. A vendor's folder holds three files: the namesake (what
we say), `sandbox.py` (what the vendor does), `cases.json` (examples that are tests).
"""
