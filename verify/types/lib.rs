//! Programs that must not compile stand in `programs`; the test `messages` compares what their authors are told.
