/* maps.h - explored programs of the Ctrie. */
#ifndef MAPS_H
#define MAPS_H

extern const int map_count;
const char *map_name(int which);
int map_work(int which, double seconds);

#endif
