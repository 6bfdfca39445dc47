"""Reading and approving what a stack preview will really change.

The room is laid so that its walls (who may import it) are held from the start; nothing lives in it yet.
"""
