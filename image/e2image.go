package image

// isE2image tells a metadata dump that "e2image -Q" wrote (output_qcow2_meta_data_blocks,
// e2fsprogs misc/e2image.c). Nothing in it says so, but it is laid out as no other program
// does: a header of version 2 alone in its cluster, then the L1 table, just as long as it
// has to be, the refcount table, one cluster, and the first L2 table. A cluster that is not
// in it is one of file contents or free, or was all zeros.
func (q *qcow2) isE2image() bool {
	h := &q.head
	cluster := uint64(1) << h.clusterBits
	l1End := cluster + (h.l1Size*8+cluster-1)&^(cluster-1)
	if !h.bare || h.backing != "" || h.snapshots != 0 || h.snapOffset != 0 || h.clusterBits < 10 || h.clusterBits > 16 ||
		h.l1Offset != cluster || h.l1Size != uint64(len(q.l1)) || h.refOffset != l1End {
		return false
	}
	for i := range q.l1 {
		if at := q.tableAt(int64(i)); at != 0 {
			return at == l1End+(uint64(h.refClusters)+1)*cluster
		}
	}
	return false
}
