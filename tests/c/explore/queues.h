/* queues.h - explored programs of the queues and rings. */
#ifndef QUEUES_H
#define QUEUES_H

extern const int queue_count;
const char *queue_name(int which);
int queue_work(int which, double seconds);

#endif
