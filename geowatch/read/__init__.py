"""Imagery in: scenes from files, frames from scenes, exact windowed reads from frames.

`catalog.find_scenes` turns paths into `scene.Scene` records, `select.select_scenes` chooses among them,
`frames.make_frames` puts those of one sensor and solar day together, `plan.plan_frame` fixes once how each
band reaches the lattice, and `reader.FrameReader` reads boxes of it. Reading a part gives the bytes of the
same part of the whole: nothing that decides a value depends on who asks or how the reads are cut.
"""
