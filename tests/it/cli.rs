//! What may be typed and configured, as far as no Nomad is needed for it.
