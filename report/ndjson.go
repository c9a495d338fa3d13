package report

// writeNDJSON writes a line for each row and nothing else. When there are
// several tables each line says first which one it belongs to.
func writeNDJSON(s *sink, r *Report) error {
	for _, t := range r.Tables {
		name := ""
		if len(r.Tables) > 1 {
			name = t.Key
		}
		line := newJSONRow(t, name)
		err := r.each(t, func(row Row) error {
			s.buf = append(line.append(s.buf, row), '\n')
			return s.spill()
		})
		if err != nil {
			return err
		}
	}
	return nil
}
