/* pools.h - explored programs of the pool. */
#ifndef POOLS_H
#define POOLS_H

extern const int pool_count;
const char *pool_name(int which);
int pool_work(int which, double seconds);

#endif
