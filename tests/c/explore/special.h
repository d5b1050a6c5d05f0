/* special.h - explored programs that are not about one queue: reclamation, the lock, the
 * atomics, the limiter, the roles. */
#ifndef SPECIAL_H
#define SPECIAL_H

extern const int special_count;
const char *special_name(int which);
int special_work(int which, double seconds);

#endif
