// A shared object that is something else.
extern "C" int something_else() { return 0; }
