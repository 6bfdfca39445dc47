"""The GrayRelease object: spec, status, definition, revisions. With ``signals`` all that other rooms may know."""
