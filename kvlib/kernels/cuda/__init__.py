"""One new token of each sequence on a GPU, in Triton: stored, and read, where the cache's view says.

Whatever changes from step to step the kernels read from tensors, and no number but the model's own
is compiled in. So one compilation serves every context and batch, and one captured graph every step.
All sums are float32.

reading  attention of one new token a sequence
storing  rotary embedding, storing, and the norm and gate around them
codes    packed codes to numbers and back
views    the kernels, called for a cache's view
graph    a step of the decoder, captured once and replayed
"""
